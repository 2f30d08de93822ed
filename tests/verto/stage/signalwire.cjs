// @signalwire/js: node signalwire.cjs URL CLIENT PASSWORD; what to do comes by standard input, what happens goes to standard output.
globalThis.WebSocket = require("ws");
const { createInterface } = require("node:readline");
const { randomUUID } = require("node:crypto");
const { Verto } = require("@signalwire/js");

const [, , host, login, passwd] = process.argv;
const tell = (kind, what) => console.log(JSON.stringify([kind, what ?? null]));
const client = new Verto({ host, login, passwd });

client.on("signalwire.error", (error) => tell("error", error));
client.on("signalwire.ready", () => tell("ready", { sessid: client.sessionid }));
client.on("signalwire.notification", (notification) => tell("notification", notification));
client.on("signalwire.socket.close", () => tell("closed"));

const does = {
  subscribe: ({ channels }) => client.subscribe({ channels, handler: (event) => tell("event", event) }),
  unsubscribe: ({ channels }) => client.unsubscribe({ channels }),
  broadcast: ({ channel, data }) => client.broadcast({ channel, data }),
  connected: () => Boolean(client.connected),
  // It has no method of its own for a message to one; this is how its own methods send.
  info: (msg) =>
    client.execute({ request: { jsonrpc: "2.0", id: randomUUID(), method: "verto.info", params: { sessid: client.sessionid, msg } } }),
};

createInterface({ input: process.stdin }).on("line", async (line) => {
  const { number, method, params } = JSON.parse(line);
  const answer = await Promise.resolve(does[method](params)).then(
    (result) => ({ result: result ?? null }),
    (error) => ({ error }),
  );
  tell("answer", { number, answer });
});

client.connect();
