import assert from 'node:assert/strict';
import { tinyPdf, tinyPng } from '../../conformance/media.ts';
import type { Answer } from '../answer.ts';
import type { Context, Feature } from '../feature.ts';
import { type Ask, asking, CLAUDES, each, GEMINIS, refuses, warns } from '../feature.ts';

const PNG = `data:image/png;base64,${tinyPng().toString('base64')}`;
const PDF = tinyPdf().toString('base64');

const saying = (text: string, ...parts: readonly object[]): Ask =>
  ({ messages: [{ role: 'user', content: [{ type: 'text', text }, ...parts] }] }) as Ask;
const image = (url: string) => ({ type: 'image_url', image_url: { url } });

/** The simulator says what it sees: type and size prove that the very bytes came. */
const sees = (answer: Answer): void =>
  assert.match(answer.text ?? '', new RegExp(`I see 1 image \\(image/png, ${tinyPng().length} bytes\\)`));
const reads = (answer: Answer): void =>
  assert.match(answer.text ?? '', new RegExp(`I read 1 file \\(.*application/pdf, ${tinyPdf().length} bytes\\)`));

/** Gemini's inline data has no name. */
const UNNAMED = each(GEMINIS, warns('messages.0.content.1.file.filename'));
function namesFile(body: Readonly<Record<string, unknown>>, { fate }: Context): void {
  if (fate.kind === 'works') assert.match(JSON.stringify(body), /report/, 'the name of the file reaches the provider');
}

/** Pictures, documents and sound. */
export const MEDIA: readonly Feature[] = [
  asking({
    row: 'images (data URI)',
    name: 'an image as data URI',
    ask: saying('Describe this image in detail.', image(PNG)),
    check: sees,
  }),
  asking({
    name: 'two images between texts',
    ask: saying('First:', image(PNG), { type: 'text', text: 'Second:' }, image(PNG)),
    check: ({ text }) => assert.match(text ?? '', /I see 2 images/),
  }),
  {
    row: 'images by URL',
    name: 'an image by https URL, or by a URL that the gateway fetches',
    run: imageByUrl,
  },
  {
    row: 'images by URL',
    name: 'an image by URL behind a redirect',
    run: (context) => imageByUrl(context, '/moved.png'),
  },
  {
    row: null,
    name: 'an image URL that leads nowhere',
    async run({ bench, provider }) {
      if (!fetchesMedia(provider.dialect)) return;
      const ask = saying('Describe this.', image(bench.media.url('/nowhere.png')));
      const response = await bench.post({ ...ask, model: provider.model });
      const { error } = (await response.json()) as { error: { code: string } };
      assert.deepEqual([response.status, error.code], [400, 'invalid_file_url']);
    },
  },
  asking({
    row: 'PDFs, both spellings',
    name: 'a PDF in OpenAI’s spelling',
    fates: UNNAMED,
    sameAsOpenAi: false,
    ask: saying('Summarize this document.', {
      type: 'file',
      file: { file_data: `data:application/pdf;base64,${PDF}`, filename: 'report.pdf' },
    }),
    check: reads,
    checkReceived: namesFile,
  }),
  asking({
    row: 'PDFs, both spellings',
    name: 'a PDF in the seed’s spelling',
    fates: UNNAMED,
    sameAsOpenAi: false,
    ask: saying('Summarize this document.', {
      type: 'file',
      file: { data: PDF, media_type: 'application/pdf', filename: 'report.pdf' },
    }),
    check: reads,
    checkReceived: namesFile,
  }),
  asking({
    row: 'audio',
    name: 'audio',
    fates: each(CLAUDES, refuses('unsupported_content')),
    ask: saying('What do you hear?', { type: 'input_audio', input_audio: { data: tinyWav(), format: 'wav' } }),
    check: ({ text }) => assert.match(text ?? '', /I hear 1 sound/),
  }),
  asking({
    row: 'file ids of OpenAI',
    name: 'a file id',
    fates: each([...CLAUDES, ...GEMINIS], refuses('unsupported_content')),
    ask: saying('Summarize this document.', { type: 'file', file: { file_id: 'file-1234567890' } }),
  }),
];

/** Where the gateway has to bring the bytes, because the provider takes no URLs. */
const fetchesMedia = (dialect: string): boolean => !['openai', 'azure', 'anthropic'].includes(dialect);

async function imageByUrl(context: Context, path = '/image.png'): Promise<void> {
  const { bench, provider } = context;
  if (fetchesMedia(provider.dialect)) {
    const answer = await bench.askBoth(context, saying('Describe this.', image(bench.media.url(path))));
    assert.ok(answer);
    sees(answer);
    return;
  }
  const url = `https://pictures.example${path}`;
  const answer = await bench.askBoth(context, saying('Describe this.', image(url)));
  assert.match(answer?.text ?? '', new RegExp(`I see 1 image \\(${url}\\)`));
}

/** A real WAV (RIFF): a tenth of a second of silence. */
function tinyWav(): string {
  const samples = 800;
  const header = Buffer.alloc(44);
  header.write('RIFF', 0, 'latin1');
  header.writeUInt32LE(36 + samples, 4);
  header.write('WAVEfmt ', 8, 'latin1');
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(1, 20); // PCM
  header.writeUInt16LE(1, 22); // channels
  header.writeUInt32LE(8_000, 24); // samples a second
  header.writeUInt32LE(8_000, 28); // bytes a second
  header.writeUInt16LE(1, 32);
  header.writeUInt16LE(8, 34);
  header.write('data', 36, 'latin1');
  header.writeUInt32LE(samples, 40);
  return Buffer.concat([header, Buffer.alloc(samples, 128)]).toString('base64');
}
