import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { GatewayError } from '../../errors/index.ts';
import { bedrock } from './dialect.ts';
import { call, encode, messagesOf, request, user } from './encode.testing.ts';
import { documentName } from './media.ts';
import { toolUseId } from './messages.ts';
import { CLAUDE, target } from './play.testing.ts';

describe('the address', () => {
  it('names the model, also by ARN, and the operation', () => {
    assert.equal(encode({}).url, `${target().baseUrl}/model/${CLAUDE.replace(':', '%3A')}/converse`);
    const arn = 'arn:aws:bedrock:us-east-1:1:inference-profile/p';
    const { url, headers } = encode({ stream: true }, arn);
    const id = 'arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fp';
    assert.ok(url.endsWith(`/model/${id}/converse-stream`));
    assert.ok(headers.includes('application/vnd.amazon.eventstream'));
  });
});

describe('messages', () => {
  it('system texts stand apart, turns of one role are joined, nothing is blank', () => {
    const { sent } = encode({
      messages: [
        { role: 'system', content: 'A' },
        user('x'),
        user(' '),
        { role: 'developer', content: 'B' },
        user('y'),
        { role: 'assistant', content: 'z' },
        { role: 'assistant', content: '' },
      ],
    });
    assert.deepEqual(sent.system, [{ text: 'A' }, { text: 'B' }]);
    assert.deepEqual(sent.messages, [
      { role: 'user', content: [{ text: 'x' }, { text: 'y' }] },
      { role: 'assistant', content: [{ text: 'z' }] },
    ]);
  });

  it('begin with the user', () => {
    const { sent, warnings } = encode({ messages: [{ role: 'assistant', content: 'a' }, user('b')] });
    assert.equal(sent.messages[0].role, 'user');
    assert.deepEqual(warnings, ['messages']);
    assert.deepEqual(encode({ messages: [{ role: 'system', content: 'A' }] }).sent, {
      messages: [{ role: 'user', content: [{ text: 'A' }] }],
    });
  });

  it('carry system texts in the first user turn of models without a system prompt', () => {
    const { sent } = encode(
      { messages: [{ role: 'system', content: 'A' }, user('x')] },
      'mistral.mistral-7b-instruct-v0:2',
    );
    assert.deepEqual(sent, { messages: [{ role: 'user', content: [{ text: 'A' }, { text: 'x' }] }] });
  });

  it('answer parallel calls in one turn, never with nothing', () => {
    const messages = messagesOf([
      user('x'),
      { role: 'assistant', content: null, tool_calls: [call('call.1', '{"a":1}'), call('c2', '')] },
      { role: 'tool', tool_call_id: 'call.1', content: 'sunny' },
      { role: 'tool', tool_call_id: 'c2', content: '' },
      user('and?'),
    ]);
    assert.deepEqual(messages.slice(1), [
      {
        role: 'assistant',
        content: [
          { toolUse: { toolUseId: 'call_1', name: 'f', input: { a: 1 } } },
          { toolUse: { toolUseId: 'c2', name: 'f', input: {} } },
        ],
      },
      {
        role: 'user',
        content: [
          { toolResult: { toolUseId: 'call_1', content: [{ text: 'sunny' }] } },
          { toolResult: { toolUseId: 'c2', content: [{ text: '(no output)' }] } },
          { text: 'and?' },
        ],
      },
    ]);
  });

  it('ids of calls fit', () => {
    assert.equal(toolUseId('a.b'), 'a_b');
    assert.match(toolUseId('x'.repeat(100)), /^[a-f0-9]{64}$/);
    assert.equal(toolUseId('x'.repeat(100)), toolUseId('x'.repeat(100)));
  });

  it('end without white space where the model goes on', () => {
    assert.deepEqual(messagesOf([user('x'), { role: 'assistant', content: 'Once ' }]).at(-1), {
      role: 'assistant',
      content: [{ text: 'Once' }],
    });
  });
});

describe('media', () => {
  const image = (url: string) => ({ type: 'image_url', image_url: { url } });
  const file = (more: object) => ({ type: 'file', file: { file_data: 'data:application/pdf;base64,AAAA', ...more } });

  it('images are bytes, in their own format', () => {
    const url = 'https://example.com/a';
    const parts = [image('data:image/jpg;base64,AA\nAA'), image(url), image('s3://b/k.webp')];
    const media = new Map([[url, { mediaType: 'image/gif', data: 'BBBB' }]]);
    const { sent } = encode({ messages: [user(parts)] }, CLAUDE, media);
    assert.deepEqual(sent.messages[0].content, [
      { image: { format: 'jpeg', source: { bytes: 'AAAA' } } },
      { image: { format: 'gif', source: { bytes: 'BBBB' } } },
      { image: { format: 'webp', source: { s3Location: { uri: 's3://b/k.webp' } } } },
    ]);
    assert.deepEqual(bedrock.remoteMedia?.(request({ messages: [user(parts)] }), target()), [url]);
  });

  it('documents have names that are allowed and differ, and a text beside them', () => {
    const parts = [file({ filename: 'my_Résumé #1.pdf' }), file({ filename: 'my Resume 1.pdf' }), file({})];
    const { sent, warnings } = encode({ messages: [user(parts)] });
    const { content } = sent.messages[0];
    const names = content.slice(0, 3).map(({ document }: { document: { name: string } }) => document.name);
    assert.deepEqual(names, ['my Resume 1', 'my Resume 1 (2)', 'document']);
    assert.deepEqual(content[0].document.source, { bytes: 'AAAA' });
    assert.equal(content[0].document.format, 'pdf');
    assert.deepEqual(content[3], { text: '(see the document)' });
    assert.deepEqual(warnings, ['messages']);
    assert.deepEqual(encode({ messages: [user([{ type: 'text', text: 'x' }, file({})])] }).warnings, []);
  });

  it('any name becomes one that the service allows', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (name) => {
        const clean = documentName(name);
        assert.match(clean, /^[A-Za-z0-9\s\-()[\]]{1,200}$/);
        assert.doesNotMatch(clean, /\s\s|^\s|\s$/);
      }),
    );
  });

  it('other kinds of files are told by type or name', () => {
    const formats = [
      file({ file_data: 'data:text/csv;base64,AAAA' }),
      file({ file_data: 'data:application/octet-stream;base64,AAAA', filename: 'a.docx' }),
      file({ file_data: 'data:text/x-python;base64,AAAA' }),
      file({ file_data: 'data:image/png;base64,AAAA' }),
      file({ file_data: 'data:video/mp4;base64,AAAA' }),
    ];
    const { content } = encode({ messages: [user(formats)] }).sent.messages[0];
    const found = content.map((block: Record<string, { format?: string }>) => Object.values(block)[0]?.format);
    assert.deepEqual(found.slice(0, 5), ['csv', 'docx', 'txt', 'png', 'mp4']);
  });

  const refused: [string, object][] = [
    ['audio', { type: 'input_audio', input_audio: { data: 'AAAA', format: 'wav' } }],
    ['an image of another type', image('data:image/tiff;base64,AAAA')],
    ['a file of another type', file({ file_data: 'data:application/zip;base64,AAAA' })],
    ['a file id', { type: 'file', file: { file_id: 'file-1' } }],
    ['a URL that nobody fetched', image('https://example.com/x.png')],
  ];
  for (const [what, part] of refused) {
    it(`refuses ${what}`, () => {
      assert.throws(
        () => encode({ messages: [user([part])] }),
        (error: unknown) =>
          error instanceof GatewayError && error.status === 400 && error.code === 'unsupported_content',
      );
    });
  }
});
