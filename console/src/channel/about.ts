/** What one of our pages tells another by their data channel: how things stand with it, as a whole snapshot. */
export interface About {
  /** Whether its microphone and its camera are on. */
  voice: boolean;
  camera: boolean;
  /** With whom else it is in this call. */
  others: string[];
}

/** More than a mesh has is not read. */
const MAX_OTHERS = 16;
const MAX_LENGTH = 4_096;
const ID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** Reads what another page says; null when it is not that. */
export function decodeAbout(data: unknown): About | null {
  if (typeof data !== "string" || data.length > MAX_LENGTH) return null;
  let said: Partial<Record<keyof About, unknown>>;
  try {
    said = JSON.parse(data) as typeof said;
  } catch {
    return null;
  }
  const { voice, camera, others } = said ?? {};
  if (typeof voice !== "boolean" || typeof camera !== "boolean" || !Array.isArray(others) || others.length > MAX_OTHERS) return null;
  return others.every((id) => typeof id === "string" && ID.test(id)) ? { voice, camera, others: others as string[] } : null;
}
