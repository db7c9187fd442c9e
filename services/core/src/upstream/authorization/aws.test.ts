import assert from 'node:assert/strict';
import { it } from 'node:test';
import { AwsAuthorizer } from './aws.ts';

const REQUEST = {
  url: 'https://bedrock-runtime.us-east-1.amazonaws.com/model/a%3A0/converse',
  headers: ['content-type', 'application/json'],
  body: Buffer.from('{}'),
};

const authorizationOf = async (credentials: Record<string, string>): Promise<string> => {
  const headers = await new AwsAuthorizer('bedrock', credentials, 'us-east-1').authorize(REQUEST);
  return headers[headers.indexOf('authorization') + 1] ?? '';
};

it('an API key of Bedrock is a bearer token', async () => {
  assert.equal(await authorizationOf({ apiKey: 'bedrock-api-key-1' }), 'Bearer bedrock-api-key-1');
});

it('other credentials sign the request', async () => {
  const header = await authorizationOf({ accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'secret' });
  assert.match(header, /^AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE\/\d{8}\/us-east-1\/bedrock\/aws4_request, /);
  assert.equal(header.includes('secret'), false);
});
