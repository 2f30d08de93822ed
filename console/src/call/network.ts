/** What browsers with NetworkInformation tell of the network. */
interface Connection extends EventTarget {
  type?: string;
}

/** Tells when the network is back, or has become another one. Returns what stops it. */
export function watchNetwork(changed: () => void): () => void {
  const connection = (navigator as Navigator & { connection?: Connection }).connection;
  let type = connection?.type;
  // It tells of every new estimate of speed too.
  const look = () => {
    if (connection?.type === type) return;
    type = connection?.type;
    if (navigator.onLine) changed();
  };
  window.addEventListener("online", changed);
  connection?.addEventListener("change", look);
  return () => {
    window.removeEventListener("online", changed);
    connection?.removeEventListener("change", look);
  };
}
