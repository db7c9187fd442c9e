import assert from 'node:assert/strict';
import type { Feature } from '../feature.ts';
import { asking } from '../feature.ts';

const user = (content: string) => ({ role: 'user', content }) as const;
const assistant = (content: string) => ({ role: 'assistant', content }) as const;
const STORY = 'Write a one-sentence bedtime story about a unicorn.';

/** Text in, text out, and everything that may stand between. */
export const TEXT: readonly Feature[] = [
  asking({
    row: 'text, JSON and stream',
    name: 'text',
    ask: { messages: [user(STORY)] },
    check: ({ text, finish, usage, calls }) => {
      assert.ok(text);
      assert.equal(finish, 'stop');
      assert.deepEqual(calls, []);
      assert.ok((usage?.prompt_tokens ?? 0) > 0 && (usage?.completion_tokens ?? 0) > 0);
    },
  }),
  asking({ name: 'letters of several bytes', ask: { messages: [user('[[sim emoji tokens=60]] Grüße, 你好, 👋🏽!')] } }),
  {
    row: 'text, JSON and stream',
    name: 'usage in a stream only when it is asked for',
    async run({ bench, provider }) {
      const { frames } = await bench.frames(provider, { messages: [user(STORY)] });
      assert.equal(frames.at(-1), 'data: [DONE]');
      for (const frame of frames.slice(0, -1)) {
        const { choices, usage } = JSON.parse(frame.replace(/^data: /, ''));
        assert.equal(choices.length, 1, 'no chunk without choices');
        assert.equal(usage ?? null, null);
      }
    },
  },
  asking({
    row: 'system and developer messages anywhere',
    name: 'system and developer messages anywhere',
    ask: {
      messages: [
        { role: 'system', content: 'Answer as a pirate.' },
        user('Who are you?'),
        assistant('A pirate.'),
        { role: 'developer', content: 'Answer as a queen from now on.' },
        user('And now?'),
        { role: 'system', content: [{ type: 'text', text: 'Be brief.' }] },
      ],
    },
  }),
  asking({
    name: 'only a system message',
    sameAsOpenAi: false,
    ask: { messages: [{ role: 'system', content: STORY }] },
  }),
  asking({
    row: 'consecutive turns of one role',
    name: 'consecutive turns of one role',
    ask: {
      messages: [
        user('One.'),
        user('Two.'),
        assistant('Three.'),
        assistant('Four.'),
        user('Five.'),
        { role: 'user', content: [{ type: 'text', text: 'Six.' }] },
      ],
    },
  }),
  asking({
    name: 'content in several text parts, some empty',
    ask: {
      messages: [
        {
          role: 'user',
          content: [
            { type: 'text', text: 'First.' },
            { type: 'text', text: 'Second.' },
          ],
        },
        { role: 'assistant', content: [{ type: 'text', text: 'Third.' }] },
        user('Fourth.'),
      ],
    },
  }),
  asking({
    name: 'any byte boundary',
    ask: { messages: [user('[[sim split=1 emoji tokens=20]] Cut me to pieces: 🌊ß漢.')] },
  }),
];
