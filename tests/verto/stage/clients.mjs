// Clients from npm, unchanged, each in a process of its own: both go on for ever, and one keeps its session where the next would find it.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { atEnd } from "../../browser/stage/ending.mjs";
import { until } from "../../browser/stage/media.mjs";

/** A client of a library; `library` names the script beside this one that puts it to use. */
export class Client {
  constructor(test, library, face, { clientId, password }) {
    this.id = clientId;
    /** What it told, in order: `[kind, what]`. */
    this.told = [];
    this.asked = 0;
    const child = spawn(process.execPath, [join(import.meta.dirname, `${library}.cjs`), face.socket, clientId, password], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    this.child = child;
    createInterface({ input: child.stdout }).on("line", (line) => line.startsWith("[") && this.told.push(JSON.parse(line)));
    atEnd(test, async () => child.kill("SIGKILL"));
  }

  /** Waits until it has told something of this kind (that `fits`), and returns what. */
  async tells(kind, fits = () => true) {
    const find = () => this.told.find(([one, what]) => one === kind && fits(what));
    await until(`${kind}; it told ${JSON.stringify(this.told)}`, async () => find() !== undefined);
    return find()[1];
  }

  /** Everything it told of this kind. */
  all(kind) {
    return this.told.filter(([one]) => one === kind).map(([, what]) => what);
  }

  /** Has it do something, and returns the answer of the server: `{ result }` or `{ error }`. */
  async does(method, params) {
    this.asked += 1;
    const number = this.asked;
    this.child.stdin.write(`${JSON.stringify({ number, method, params })}\n`);
    return (await this.tells("answer", (answer) => answer.number === number)).answer;
  }
}
