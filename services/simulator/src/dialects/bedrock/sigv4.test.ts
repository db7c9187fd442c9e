import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type BedrockRuntimeClientConfig, ConverseCommand } from '@aws-sdk/client-bedrock-runtime';
import { type Simulator, startSimulator } from '../../server.ts';
import { bedrockClientOf, knownCredentials } from '../../testing/bedrockClient.ts';
import { authorize, type SignedRequest } from './sigv4.ts';

describe("AWS's credentials", () => {
  let simulator: Simulator;
  before(async () => {
    simulator = await startSimulator();
  });
  after(() => simulator.close());

  const ask = async (config: Partial<BedrockRuntimeClientConfig>, modelId = 'anthropic.claude-haiku-4-5-v1:0') => {
    const client = bedrockClientOf(simulator, config);
    try {
      const { stopReason } = await client.send(
        new ConverseCommand({ modelId, messages: [{ role: 'user', content: [{ text: 'Grüße' }] }] }),
      );
      return stopReason;
    } finally {
      client.destroy();
    }
  };

  it('are proved by a signature that is recomputed', async () => {
    assert.equal(await ask({}), 'end_turn');
    assert.equal(await ask({ region: 'ap-southeast-2' }), 'end_turn');
    assert.equal(await ask({}, 'arn:aws:bedrock:us-east-1:123456789012:provisioned-model/abc+salt=a%20b'), 'end_turn');
    await assert.rejects(ask({ credentials: { ...knownCredentials, secretAccessKey: 'wrong' } }), {
      name: 'InvalidSignatureException',
      message: /does not match the signature you provided/,
    });
  });

  it('may be of keys whose secret nobody knows, may have a session, or be a Bedrock API key', async () => {
    assert.equal(await ask({ credentials: { accessKeyId: 'AKIDOTHER', secretAccessKey: 'any' } }), 'end_turn');
    assert.equal(await ask({ credentials: { ...knownCredentials, sessionToken: 'session-of-somebody' } }), 'end_turn');
    assert.doesNotMatch(JSON.stringify(simulator.requests.at(-1)?.headers), /session-of-somebody/);
    assert.equal(
      await ask({ token: { token: 'bedrock-api-key' }, authSchemePreference: ['httpBearerAuth'] }),
      'end_turn',
    );
    assert.match(simulator.requests.at(-1)?.headers.authorization ?? '', /^Bearer /);
    await assert.rejects(ask({ credentials: { accessKeyId: 'AKIDINVALID', secretAccessKey: 'any' } }), {
      name: 'UnrecognizedClientException',
      message: /security token included in the request is invalid/,
    });
  });

  describe('must be whole', () => {
    const now = Date.UTC(2026, 0, 2, 3, 4, 5);
    const signature = '0'.repeat(64);
    const header = (change: (text: string) => string = (text) => text) =>
      change(
        `AWS4-HMAC-SHA256 Credential=AKIDOTHER/20260102/us-east-1/bedrock/aws4_request, SignedHeaders=host;x-amz-date, Signature=${signature}`,
      );
    const request = (headers: SignedRequest['headers']): SignedRequest => ({
      method: 'POST',
      url: '/model/a/converse',
      headers: { host: 'bedrock-runtime', 'x-amz-date': '20260102T030405Z', ...headers },
      body: Buffer.from('{}'),
    });
    const refused = (headers: SignedRequest['headers'], type: string, message: RegExp, at = now) =>
      assert.throws(() => authorize(request(headers), at), { status: 403, type, message });

    it('with all its parts', () => {
      authorize(request({ authorization: header() }), now);
      refused({}, 'MissingAuthenticationTokenException', /Missing Authentication Token/);
      refused({ authorization: 'Basic abc' }, 'IncompleteSignatureException', /requires 'Credential' .* 'Signature'/);
      const short = header((text) => text.replace(/Signature=.*/, 'Signature=abc'));
      refused({ authorization: short }, 'IncompleteSignatureException', /malformed/);
    });

    it('for this service, at this time', () => {
      const forS3 = header((text) => text.replace('/bedrock/', '/s3/'));
      refused({ authorization: forS3 }, 'InvalidSignatureException', /correct service: 'bedrock'/);
      refused({ authorization: header() }, 'InvalidSignatureException', /expired/, now + 301_000);
      refused({ authorization: header() }, 'InvalidSignatureException', /not yet current/, now - 301_000);
      const yesterday = header((text) => text.replace('20260102', '20260101'));
      refused({ authorization: yesterday }, 'InvalidSignatureException', /does not match YYYYMMDD/);
      refused({ authorization: header(), 'x-amz-date': 'now' }, 'IncompleteSignatureException', /X-Amz-Date/);
    });

    it("over its host and all of AWS's headers", () => {
      const headers = { authorization: header(), 'x-amz-security-token': 'token' };
      refused(headers, 'InvalidSignatureException', /not signed: x-amz-security-token/);
      const absent = header((text) => text.replace('host;', 'host;range;'));
      refused({ authorization: absent }, 'InvalidSignatureException', /not in the request: range/);
    });
  });
});
