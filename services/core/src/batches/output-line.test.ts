import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { NO_USAGE } from './contract.ts';
import { answeredLine, lineIds, unrunLine } from './output-line.ts';

const ids = lineIds(7, Buffer.from('{"custom_id":"a"}'));

describe('a line of the output', () => {
  it('is one line, however its provider writes JSON', () => {
    const body = '{\n  "a": "two\\nlines",\r\n\t"b": [\n    1\n  ]\n}';
    const { ok, line } = answeredLine(ids, 'id "1"', { status: 200, body, usage: NO_USAGE });
    const text = line.toString();
    assert.ok(ok);
    assert.equal(text.includes('\n'), false);
    assert.deepEqual(JSON.parse(text), {
      id: ids.id,
      custom_id: 'id "1"',
      response: { status_code: 200, request_id: ids.requestId, body: JSON.parse(body) },
      error: null,
    });
  });

  it('is of the error file when its request failed', () => {
    for (const status of [300, 400, 429, 503]) {
      assert.equal(answeredLine(ids, 'a', { status, body: '{}', usage: NO_USAGE }).ok, false);
    }
  });

  it('has ids that follow from what it says, and where', () => {
    assert.deepEqual(lineIds(7, Buffer.from('{"custom_id":"a"}')), ids);
    assert.notDeepEqual(lineIds(8, Buffer.from('{"custom_id":"a"}')), ids);
    assert.notDeepEqual(lineIds(7, Buffer.from('{"custom_id":"b"}')), ids);
    assert.match(ids.id, /^batch_req_[0-9a-f]{32}$/);
  });

  it('says why a request was not run', () => {
    const { response, error } = JSON.parse(unrunLine(ids, 'a', 'batch_expired'));
    assert.deepEqual([response, error.code], [null, 'batch_expired']);
  });
});
