import { useId } from "preact/hooks";

/** Which of several devices. */
export function DeviceChoice(props: { label: string; list: MediaDeviceInfo[]; chosen: string | null; onChoose: (deviceId: string) => void }) {
  const { label, list, chosen, onChoose } = props;
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <select id={id} disabled={list.length === 0} value={chosen ?? ""} onChange={(event) => onChoose(event.currentTarget.value)}>
        {list.length === 0 && <option value="">None found</option>}
        {list.map((device, index) => (
          <option key={device.deviceId} value={device.deviceId}>
            {device.label || `${label} ${index + 1}`}
          </option>
        ))}
      </select>
    </div>
  );
}
