const stacks = new WeakMap();

/** Runs `close` when the test is over, the last opened first; what one of them throws does not keep the others from running. */
export function atEnd(test, close) {
  const known = stacks.get(test);
  if (known) {
    known.push(close);
    return;
  }
  const stack = [close];
  stacks.set(test, stack);
  test.after(async () => {
    const faults = [];
    for (const one of stack.reverse()) await Promise.resolve(one()).catch((fault) => faults.push(fault));
    if (faults.length > 0) throw faults[0];
  });
}
