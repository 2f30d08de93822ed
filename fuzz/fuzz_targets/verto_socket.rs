//! Whatever comes by the verto face's WebSocket is read or refused, and what is handed on is JSON in which nothing stands twice.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::verto::content::Said;
use wire::verto::{Call, Frame, Info, event, info, message, result};

fuzz_target!(|text: &str| {
    if let Frame::Request(request) = Frame::read(text) {
        let id = request.id.clone();
        match request.call() {
            Call::Broadcast(broadcast) => {
                let _ = (broadcast.weight(), broadcast.check());
                let told = event(1, &broadcast.shared("c", "i@d"), "i", 0, "c");
                assert!(!matches!(Frame::read(&told), Frame::Invalid(_) | Frame::SpeedTest));
            }
            Call::Info(Info::Message { to, body, .. }) => {
                let told = info(1, &message("i", &to, &body.0, serde_json::Map::new()));
                assert!(matches!(Frame::read(&told), Frame::Request(_)));
            }
            Call::Echo(Some(params)) => {
                if let Some(id) = &id {
                    let told = result(id, params, Some("s"));
                    assert!(matches!(Frame::read(&told), Frame::Acknowledgement | Frame::Invalid(_)));
                }
            }
            _ => {}
        }
    }
    let _ = Said::read(text);
});
