import { useEffect, useRef } from "preact/hooks";

/** Shows how loud a microphone is. */
export function Level({ track }: { track: MediaStreamTrack | null }) {
  const bar = useRef<HTMLDivElement>(null);
  useEffect(() => (track && bar.current ? measure(track, bar.current) : undefined), [track]);
  return (
    <div class="level" role="img" aria-label={track ? "Microphone level" : "No microphone"}>
      <div ref={bar} class="level-bar" />
    </div>
  );
}

function measure(track: MediaStreamTrack, bar: HTMLElement): () => void {
  const context = new AudioContext();
  const analyser = context.createAnalyser();
  analyser.fftSize = 512;
  context.createMediaStreamSource(new MediaStream([track])).connect(analyser);
  // Some browsers start no sound before the first click or key; then the bar moves from there on.
  const wake = () => void context.resume();
  document.addEventListener("pointerdown", wake);
  const samples = new Float32Array(analyser.fftSize);
  let shown = 0;
  let frame = requestAnimationFrame(function draw() {
    analyser.getFloatTimeDomainData(samples);
    const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
    // −60 dB to 0 dB over the whole width.
    const level = Math.min(1, Math.max(0, 1 + Math.log10(power + 1e-9) / 6));
    shown = Math.max(level, shown * 0.92);
    bar.style.setProperty("--level", shown.toFixed(3));
    frame = requestAnimationFrame(draw);
  });
  return () => {
    cancelAnimationFrame(frame);
    document.removeEventListener("pointerdown", wake);
    void context.close();
  };
}
