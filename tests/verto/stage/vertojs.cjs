// vertojs: node vertojs.cjs URL CLIENT PASSWORD; what to do comes by standard input, what happens goes to standard output.
globalThis.WebSocket = require("ws");
const { createInterface } = require("node:readline");
const { Verto } = require("vertojs");

const [, , socketUrl, login, passwd] = process.argv;
const tell = (kind, what) => console.log(JSON.stringify([kind, what ?? null]));
const client = new Verto({ transportConfig: { socketUrl, login, passwd } });

client.login().then(
  (result) => {
    client.rpc.setEventHandler((method, params) => tell("push", { method, params }));
    tell("ready", result);
  },
  (error) => tell("error", error),
);

createInterface({ input: process.stdin }).on("line", (line) => {
  const { number, method, params } = JSON.parse(line);
  const answer = (kind) => (what) => tell("answer", { number, answer: { [kind]: what } });
  client.rpc.call(method, params, answer("result"), answer("error"));
});
