import { useId, useState } from "preact/hooks";
import { api, type ChannelDetail, type ChannelSettings, type Delivery } from "../api.ts";
import { Choice } from "./choice.tsx";
import type { Perform } from "./perform.ts";

type Choices<Name extends keyof ChannelSettings> = [ChannelSettings[Name], string][];

const ADMISSION: Choices<"admission"> = [
  ["invitation", "Whoever has an invitation"],
  ["open", "Whoever knows the address"],
];
const CONTENT: Choices<"content"> = [
  ["strict", "Only what sets calls up"],
  ["opaque", "Anything"],
];
const COOKIES: Choices<"cookie_binding"> = [
  ["required", "Browsers only, with their cookie"],
  ["optional", "Also clients without cookies"],
];
const SESSIONS: Choices<"sessid_policy"> = [
  ["optional", "The one of their issue, or none"],
  ["strict-registered", "The one of their issue"],
  ["strict-login-id", "Their client ID"],
];
const DELIVERY: [Delivery, string][] = [
  ["off", "Pages ask for them"],
  ["page", "Also in hidden inputs of the page"],
];

/** The settings of a channel. They hold from the next issue and login on. */
export function ChannelRules({ channel, perform }: { channel: ChannelDetail; perform: Perform }) {
  const [changed, setChanged] = useState<Partial<ChannelSettings>>({});
  const now: ChannelSettings = { ...channel, ...changed };
  const set = (change: Partial<ChannelSettings>) => setChanged({ ...changed, ...change });
  const topicId = useId();
  const capacityId = useId();
  const originsId = useId();
  const save = (event: Event) => {
    event.preventDefault();
    void perform(async () => {
      await api.changeChannel(channel.channelId, { ...changed, ...(changed.origins && { origins: changed.origins.filter(Boolean) }) });
      setChanged({});
    });
  };
  return (
    <section class="section" aria-labelledby="rules">
      <h2 id="rules">Settings</h2>
      <form class="card rules-form" onSubmit={save}>
        <div class="field rules-wide">
          <label for={topicId}>Topic</label>
          <input id={topicId} value={now.topic} maxLength={128} onInput={(event) => set({ topic: event.currentTarget.value })} />
        </div>
        <Choice label="Who may come" choices={ADMISSION} value={now.admission} onChoose={(admission) => set({ admission })} />
        <div class="field">
          <label for={capacityId}>How many at once</label>
          <input
            id={capacityId}
            type="number"
            min={1}
            max={10_000}
            required
            value={now.capacity}
            onInput={(event) => set({ capacity: event.currentTarget.valueAsNumber })}
          />
        </div>
        <Choice label="What they may say" choices={CONTENT} value={now.content} onChoose={(content) => set({ content })} />
        <Choice label="Which clients" choices={COOKIES} value={now.cookie_binding} onChoose={(cookie_binding) => set({ cookie_binding })} />
        <Choice label="Session ID of clients" choices={SESSIONS} value={now.sessid_policy} onChoose={(sessid_policy) => set({ sessid_policy })} />
        <Choice label="How pages get passwords" choices={DELIVERY} value={now.delivery ?? "off"} onChoose={(delivery) => set({ delivery })} />
        <div class="field rules-wide">
          <label for={originsId}>Other sites that may connect, one a line</label>
          <textarea
            id={originsId}
            rows={2}
            value={now.origins.join("\n")}
            placeholder="https://www.example.org"
            onInput={(event) => set({ origins: event.currentTarget.value.split("\n").map((line) => line.trim()) })}
          />
        </div>
        <button type="submit" class="button button-primary" disabled={Object.keys(changed).length === 0}>
          Save settings
        </button>
      </form>
    </section>
  );
}
