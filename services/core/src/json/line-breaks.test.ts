import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { escapeLineBreaks } from './line-breaks.ts';

const mended = (text: string): unknown => {
  const bytes = escapeLineBreaks(Buffer.from(text));
  return bytes === null ? null : JSON.parse(bytes.toString());
};

describe('escapeLineBreaks', () => {
  it('leaves JSON alone, however it is laid out', () => {
    fc.assert(
      fc.property(fc.json(), fc.constantFrom(0, 2, '\t'), (json, indent) => {
        assert.equal(escapeLineBreaks(Buffer.from(JSON.stringify(JSON.parse(json), null, indent))), null);
      }),
    );
  });

  it('brings back what was pasted into strings', () => {
    // Everything but quotes, backslashes and controls stands in JSON as it is; so do here line breaks and tabs.
    const pasted = fc.string({ unit: fc.constantFrom('a', 'é', '😀', ' ', '{', ',', '\n', '\r\n', '\t') });
    fc.assert(
      fc.property(fc.array(pasted), (texts) => {
        const json = `{\n\t"texts": [${texts.map((text) => `"${text}"`).join(',\n ')}]\n}`;
        const expected = texts.some((text) => /[\n\r\t]/.test(text)) ? { texts } : null;
        assert.deepEqual(mended(json), expected);
      }),
    );
  });

  it('takes the line breaks of base64 out of data URIs', () => {
    const base64 = Buffer.alloc(300, 7).toString('base64');
    const lines = base64.replace(/.{76}/g, '$&\n');
    assert.deepEqual(mended(`{"url": "data:image/png;base64,${lines}", "name": "a\nb"}`), {
      url: `data:image/png;base64,${base64}`,
      name: 'a\nb',
    });
  });

  it('gives up where it cannot know what was meant', () => {
    assert.equal(escapeLineBreaks(Buffer.from('{"a": "b\\\nc"}')), null);
    assert.equal(escapeLineBreaks(Buffer.from('{"a": "b\nc')), null);
    assert.equal(escapeLineBreaks(Buffer.from('no JSON\n')), null);
  });
});
