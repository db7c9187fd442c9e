const START = '" t';
const DONE = '[DONE]';
/** No stamp is longer; an opening quote without an end within this many characters was something else. */
const LONGEST = 24;

/** Finds the mock's time stamps (`" t<microseconds>"`) and `[DONE]` in the bytes of one stream, cut anywhere. */
export class StampScanner {
  #carry = '';
  #done = false;

  get done(): boolean {
    return this.#done;
  }

  /** Calls `onStamp` for each stamp that is complete with these bytes. */
  push(bytes: Buffer, onStamp: (sentUs: number) => void): void {
    const text = this.#carry + bytes.toString('latin1', 0, bytes.length);
    let from = 0;
    for (let start = text.indexOf(START); start >= 0; start = text.indexOf(START, from)) {
      from = start + START.length;
      const end = text.indexOf('"', from);
      if (end < 0 && text.length - start <= LONGEST) {
        this.#carry = text.slice(start);
        return;
      }
      const sentUs = end < 0 ? Number.NaN : Number(text.slice(from, end));
      if (sentUs > 0) {
        onStamp(sentUs);
        from = end + 1;
      }
    }
    if (text.includes(DONE, from)) this.#done = true;
    this.#carry = text.slice(Math.max(from, text.length - DONE.length));
  }

  reset(): void {
    this.#carry = '';
    this.#done = false;
  }
}
