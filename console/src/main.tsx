import { render } from "preact";
import { placeOf } from "./link.ts";
import { Console } from "./operator/console.tsx";
import { ChannelPage } from "./pages/channel_page.tsx";
import { RoomPage } from "./pages/room_page.tsx";
import { Unknown } from "./pages/unknown.tsx";
import "./styles/base.css";
import "./styles/operator.css";
import "./styles/call.css";
import "./styles/channel.css";

function Page() {
  const place = placeOf(location.pathname, location.hash);
  switch (place.page) {
    case "console":
      return <Console />;
    case "room":
      return <RoomPage roomId={place.roomId} invite={place.invite} />;
    case "channel":
      return <ChannelPage channelId={place.channelId} invitation={place.invitation} />;
    case "unknown":
      return <Unknown />;
  }
}

const root = document.getElementById("app");
if (root) render(<Page />, root);

// A link opened over the same page changes only the fragment, which loads nothing by itself.
addEventListener("hashchange", () => {
  if (/^#(csi_|sign-in=)/.test(location.hash) || location.pathname.startsWith("/join/")) location.reload();
});
