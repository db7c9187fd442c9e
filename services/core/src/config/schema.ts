import { z } from 'zod';
import { choice, flag, httpUrl, list, mapping, milliseconds, money, price, text, whole } from './fields.ts';
import { DIALECTS } from './providers.ts';

/** The shape of headgate.yaml (DESIGN 4). It is a contract: sections and names may be added, never changed. */

const MODEL_ID = 'a model id of the form creator/name, such as anthropic/claude-sonnet-4';
const MODEL_PATTERN = 'a model id or a pattern such as "anthropic/*"';

const timeouts = mapping({
  connectMs: milliseconds().optional().describe('Time to open a connection to the provider.'),
  firstTokenMs: milliseconds()
    .optional()
    .describe('Time to the first token (reasoning counts); binds only while another endpoint is left to try.'),
  streamStallMs: milliseconds().optional().describe('Longest silence inside a stream.'),
}).describe('Overrides of the timeouts of the level above.');

const pricing = mapping({
  input: price().optional(),
  output: price().optional(),
  inputCacheRead: price().optional(),
  inputCacheWrite: price().optional(),
}).describe('US dollars per token; takes the place of the built-in price.');

const server = mapping({
  host: text('an address to listen on, such as 0.0.0.0').default('0.0.0.0'),
  port: whole('a TCP port', 0, 65535).default(8080),
  processes: z
    .union([z.literal('auto'), z.int().min(1).max(1024)], { error: '"auto" or a whole number from 1 to 1024' })
    .default('auto')
    .describe('Ingress processes; auto is one per CPU.'),
  maxBodyBytes: whole('a whole number of bytes', 1024, 1_073_741_824).default(33_554_432),
  requestTimeoutMs: milliseconds().default(600_000),
  keepAliveCommentMs: milliseconds(0)
    .default(15_000)
    .describe('Silence after which a stream gets a comment; 0: never.'),
  drainAborted: mapping({
    when: choice(['billed', 'always', 'never'])
      .default('billed')
      .describe(
        'Answers whose client has left are taken to their end, to learn what they cost: where the provider bills all of them ' +
          'anyway, always (which costs what hanging up would have saved), or never. What is not drained is estimated.',
      ),
    maxMs: milliseconds().default(30_000).describe('Longer ones are broken off and estimated.'),
    maxConcurrent: whole('a whole number', 1, 10_000).default(64).describe('In one ingress process.'),
  }).prefault({}),
  cors: mapping({
    origins: list(text('an origin such as https://app.example.com, or "*"'), 'origins')
      .default(['*'])
      .describe('Origins that browsers may call from; ["*"] is all of them, [] turns CORS off.'),
  }).prefault({}),
});

const REDIS_URL = 'a Redis URL: redis://, rediss:// (TLS), redis+sentinel:// or redis+cluster://';

const redis = mapping({
  url: z
    .string({ error: REDIS_URL })
    .regex(/^rediss?(\+sentinel|\+cluster)?:\/\/[^/]+/, { error: REDIS_URL })
    .default('redis://127.0.0.1:6379'),
  prefix: z
    .string({ error: 'letters, digits and : _ . -' })
    .regex(/^[A-Za-z0-9:_.-]+$/, { error: 'letters, digits and : _ . -' })
    .default('hg')
    .describe('Every key in Redis begins with it.'),
  queueUrl: z
    .string({ error: REDIS_URL })
    .regex(/^rediss?(\+sentinel|\+cluster)?:\/\/[^/]+/, { error: REDIS_URL })
    .optional()
    .describe(
      'Where the queues and their results are kept, if not at url: limits then never wait behind large results.',
    ),
});

const limit = () => whole('a whole number', 1, 1_000_000_000_000).optional();

const keyLimits = mapping({
  requestsPerMinute: limit(),
  tokensPerMinute: limit(),
  requestsPerDay: limit(),
  tokensPerDay: limit(),
  concurrency: limit().describe('Requests in flight at one time.'),
});

const budget = mapping({
  usd: money(),
  window: choice(['day', 'week', 'month', 'total']).default('month'),
  mode: choice(['hard', 'soft', 'shadow'])
    .default('hard')
    .describe('hard refuses, soft warns in headers, shadow only records.'),
});

const EXPIRY = 'a date such as 2027-01-31 (00:00 UTC) or 2027-01-31T18:00:00Z';

const apiKey = mapping({
  name: text('a name for this key').describe('Shows in logs, spans and reports.'),
  key: z
    .string({ error: 'the key: printable characters without spaces' })
    .regex(/^[\x21-\x7e]{1,1024}$/, { error: 'the key: printable characters without spaces' })
    .optional()
    .describe(`The key itself, best as \${VARIABLE}; stored hashed. Either this or keyHash.`),
  keyHash: z
    .string({ error: '64 hexadecimal digits: the SHA-256 of the key' })
    .regex(/^[0-9a-fA-F]{64}$/, { error: '64 hexadecimal digits: the SHA-256 of the key' })
    .optional()
    .describe('SHA-256 of the key in hexadecimal: printf %s "$KEY" | sha256sum'),
  models: list(text(MODEL_PATTERN), 'model ids or patterns').optional().describe('What it may use; absent means all.'),
  limits: keyLimits.optional(),
  budget: budget.optional(),
  disabled: flag().default(false),
  expiresAt: z
    .union([z.iso.date(), z.iso.datetime({ offset: true })], { error: EXPIRY })
    .optional()
    .describe('ISO date or date and time; refused from then on.'),
  group: text('the name of a group').optional().describe('Shared limits, budget and reports of several keys.'),
  queue: mapping({
    maxWaitMs: milliseconds().default(2_000),
    maxWaiting: whole('a whole number', 1, 10_000).default(100),
  })
    .optional()
    .describe('A short wait in turn in place of an instant 429.'),
});

/** Asymmetric ones only: a shared secret has no place in a file that many read. */
const SIGNATURES = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'] as const;

const oidc = mapping({
  issuer: httpUrl('https://token.example.com'),
  audience: text('the audience that tokens must carry'),
  subjectClaim: text('the name of a claim').default('sub'),
  nameClaim: text('the name of a claim').optional().describe('Shows in logs and reports; default the subject.'),
  groupClaim: text('the name of a claim').optional(),
  modelsClaim: text('the name of a claim')
    .optional()
    .describe('A list, or a text with spaces, of model ids or patterns; narrows models.'),
  models: list(text(MODEL_PATTERN), 'model ids or patterns')
    .optional()
    .describe('What its tokens may use; absent: all.'),
  algorithms: list(choice(SIGNATURES), 'signature algorithms').min(1, { error: 'at least one algorithm' }).optional(),
  jwksUri: httpUrl('https://token.example.com/.well-known/jwks')
    .optional()
    .describe("Where its keys are; absent: asked of the issuer's .well-known/openid-configuration."),
  clockToleranceSeconds: whole('a whole number of seconds', 0, 600).default(30),
  limits: keyLimits.optional().describe('Of each subject.'),
  budget: budget.optional().describe('Of each subject.'),
});

const auth = mapping({
  keys: list(apiKey, 'keys').default([]),
  oidc: list(oidc, 'OIDC issuers').default([]),
});

const CREDENTIALS = 'a service account: a mapping, or its JSON text';

const provider = mapping({
  dialect: choice(DIALECTS).optional().describe('Language of its API; known for well-known provider names.'),
  baseUrl: httpUrl('https://api.example.com/v1')
    .optional()
    .describe("What the provider's official SDK calls its base URL; known for well-known provider names."),
  apiKey: text('an API key, or none').optional().describe(`The key, best as \${VARIABLE}; none sends no key.`),
  apiVersion: text('an API version such as 2024-10-21').optional().describe('azure'),
  project: text('a Google Cloud project id').optional().describe('vertex'),
  location: text('a Google Cloud location such as us-east5').optional().describe('vertex'),
  accessToken: text('an OAuth access token').optional().describe('vertex'),
  credentials: z
    .union([text(CREDENTIALS), z.record(z.string(), z.unknown())], { error: CREDENTIALS })
    .optional()
    .describe('vertex: a service-account object'),
  credentialsFile: text('the path of a credentials file').optional().describe('vertex'),
  region: text('an AWS region such as us-east-1').optional().describe('bedrock'),
  accessKeyId: text('an AWS access key id').optional().describe('bedrock'),
  secretAccessKey: text('an AWS secret access key').optional().describe('bedrock'),
  sessionToken: text('an AWS session token').optional().describe('bedrock'),
  timeouts: timeouts.optional(),
  zeroDataRetention: flag().default(false).describe('Label: this provider keeps nothing of what it is sent.'),
  noPromptTraining: flag().default(false).describe('Label: this provider does not train on prompts.'),
  promptCacheMs: milliseconds(0)
    .optional()
    .describe('How long it keeps a prompt cached: conversations stay with it for that long. 0: it keeps none.'),
});

const endpoint = mapping({
  provider: text('the name of a configured provider'),
  model: text("the provider's own model id"),
  publisher: choice(['google', 'anthropic']).optional().describe('vertex: inferred from the model when absent'),
  timeouts: timeouts.optional(),
  pricing: pricing.optional(),
  weight: whole('a whole number', 1, 1000)
    .optional()
    .describe('Neighbours that have a weight share the load by it, instead of taking turns in order.'),
  quantization: text('a quantization such as fp8').optional(),
  contextWindow: whole('a whole number of tokens', 1, 1_000_000_000).optional(),
  maxTokens: whole('a whole number of tokens', 1, 1_000_000_000).optional(),
});

const MODALITIES = ['text', 'image', 'audio', 'video', 'file'] as const;

const model = mapping({
  id: z
    .string({ error: MODEL_ID })
    .regex(/^[A-Za-z0-9._-]+\/[A-Za-z0-9._:@/-]+$/, { error: MODEL_ID })
    .describe('Public id, creator/name: what clients ask for.'),
  type: choice(['chat', 'embedding']).optional().describe('Known for built-in models, otherwise chat.'),
  endpoints: list(endpoint, 'endpoints')
    .min(1, { error: 'at least one endpoint ({ provider, model })' })
    .describe('The providers that can serve it, in default order.'),
  name: text('a name for people').optional(),
  description: text('a description').optional(),
  contextWindow: whole('a whole number of tokens', 1, 1_000_000_000).optional(),
  maxTokens: whole('a whole number of tokens', 1, 1_000_000_000).optional(),
  pricing: pricing.optional(),
  inputModalities: list(choice(MODALITIES), 'modalities')
    .optional()
    .describe('What it can read. Requests with anything else are not sent to it.'),
  tags: list(text('a tag such as vision'), 'tags').optional().describe('Capabilities, as GET /v1/models shows them.'),
  supportedParameters: list(text('a request field such as tools'), 'names of request fields').optional(),
});

const breaker = mapping({
  consecutiveFailures: whole('a whole number', 1, 1000).default(5).describe('So many failures in a row open it.'),
  failureRatio: z
    .number({ error: 'a share above 0 and up to 1' })
    .gt(0, { error: 'a share above 0 and up to 1' })
    .max(1, { error: 'a share above 0 and up to 1' })
    .default(0.5)
    .describe('So large a share of failures opens it ...'),
  minimumRequests: whole('a whole number', 1, 1_000_000).default(20).describe('... once so many were counted ...'),
  windowMs: milliseconds().default(30_000).describe('... where one of this age counts half.'),
  cooldownMs: milliseconds()
    .default(5_000)
    .describe('How long it stays open the first time; doubles with each failure.'),
  maxCooldownMs: milliseconds().default(15_000),
});

const probes = mapping({
  enabled: flag().default(true).describe('Whether control asks endpoints with an open breaker whether they are back.'),
  intervalMs: milliseconds().default(10_000),
  timeoutMs: milliseconds().default(10_000),
});

const batches = mapping({
  maxRequests: whole('a whole number', 1, 1_000_000).default(50_000).describe('Of one batch.'),
  maxEmbeddingInputs: whole('a whole number', 1, 10_000_000)
    .default(50_000)
    .describe('Texts of one batch of embeddings, of all its requests together.'),
  maxLineBytes: whole('a whole number of bytes', 1_024, 33_554_432).default(5_242_880).describe('Of one request.'),
  maxOpenPerKey: whole('a whole number', 1, 100_000).default(100).describe('Batches of one key that have not ended.'),
  concurrency: whole('a whole number', 1, 1_000)
    .default(32)
    .describe('Requests of batches at one time, of one embedder.'),
});

const embeddings = mapping({
  maxItems: whole('a whole number', 1, 100_000)
    .default(10_000)
    .describe('Texts, or lists of token ids, of one request; it is cut into as many calls as its provider needs.'),
  queue: mapping({
    minChunks: whole('a whole number', 2, 1_000_000)
      .default(2)
      .describe('A request that takes fewer calls to a provider is answered without the queue.'),
    maxWaiting: whole('a whole number', 1, 1_000_000)
      .default(10_000)
      .describe('Calls that one ingress process waits for at one time; requests beyond are refused with 503.'),
    resultMs: milliseconds().default(120_000).describe('How long a result waits in Redis to be fetched.'),
    attempts: whole('a whole number', 1, 100).default(6).describe('How often a call is tried whose failure may pass.'),
    concurrency: whole('a whole number', 1, 1_000)
      .default(16)
      .describe('Calls of one embedder to one provider at one time; limits.providers bounds all embedders together.'),
  }).prefault({}),
  microBatch: mapping({
    waitMs: whole('a whole number of milliseconds', 0, 100)
      .default(0)
      .describe('Small requests of one key wait so long for others to share a call with; 0: they share none.'),
    maxItems: whole('a whole number', 2, 2_048).default(64).describe('Of one shared call.'),
  }).prefault({}),
});

const files = mapping({
  store: choice(['redis', 's3']).default('redis').describe('Where the bytes of new files go.'),
  maxFileBytes: whole('a whole number of bytes', 1, 8_589_934_592).default(209_715_200),
  maxBytesPerKey: whole('a whole number of bytes', 1, 1_099_511_627_776)
    .default(1_073_741_824)
    .describe('Of all files of one key together; those in Redis take as much of its memory.'),
  maxFilesPerKey: whole('a whole number', 1, 1_000_000).default(10_000),
  expiresAfterSeconds: whole('a whole number of seconds', 3_600, 31_536_000)
    .default(2_592_000)
    .describe('For files that do not say themselves when they expire.'),
  bucket: text('the name of a bucket').optional().describe('s3'),
  region: text('an AWS region such as us-east-1').optional().describe('s3; default us-east-1'),
  endpoint: httpUrl('https://s3.example.com').optional().describe('s3: of another S3-compatible store than AWS.'),
  forcePathStyle: flag().optional().describe('s3: bucket in the path; default where an endpoint is given.'),
  prefix: text('the beginning of object names').default('headgate/').describe('s3'),
  accessKeyId: text('an AWS access key id').optional().describe('s3; absent: the AWS default chain'),
  secretAccessKey: text('an AWS secret access key').optional().describe('s3'),
  sessionToken: text('an AWS session token').optional().describe('s3'),
});

const PROVIDER_NAME = 'a provider name of letters, digits and . _ -';

export const configSchema = mapping({
  server: server.prefault({}),
  redis: redis.prefault({}),
  auth: auth.prefault({}),
  providers: z
    .record(z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, { error: PROVIDER_NAME }), provider, {
      error: (issue) => (issue.code === 'invalid_key' ? PROVIDER_NAME : 'a mapping of provider names to providers'),
    })
    .prefault({})
    .describe('Absent: each provider whose usual variable (OPENAI_API_KEY, ...) is set.'),
  models: list(model, 'models')
    .optional()
    .describe('Absent: the built-in models that the configured providers can serve.'),
  limits: mapping({
    onRedisLoss: choice(['allow', 'deny']).default('allow').describe('What limits do while Redis is away.'),
    groups: z
      .record(z.string(), keyLimits.extend({ budget: budget.optional() }), {
        error: 'a mapping of group names to limits',
      })
      .prefault({})
      .describe('Of all keys of a group together.'),
    users: keyLimits.optional().describe('Of each end user of a key.'),
    models: z
      .record(z.string(), keyLimits, { error: 'a mapping of model ids or patterns to limits' })
      .prefault({})
      .describe('Of all callers of a model together; the first pattern that matches holds.'),
    providers: z
      .record(z.string(), keyLimits, { error: 'a mapping of provider names to limits' })
      .prefault({})
      .describe('Of what the gateway sends to one provider.'),
  }).prefault({}),
  timeouts: mapping({
    connectMs: milliseconds().default(5000),
    firstTokenMs: milliseconds().default(10_000),
    streamStallMs: milliseconds().default(10_000),
  }).prefault({}),
  health: mapping({ breaker: breaker.prefault({}), probes: probes.prefault({}) })
    .prefault({})
    .describe('When an endpoint counts as broken, and how it comes back.'),
  ledger: mapping({
    generationHours: whole('a whole number of hours', 1, 8_760)
      .default(72)
      .describe('How long single generations can be asked for.'),
    reportDays: whole('a whole number of days', 1, 3_660)
      .default(400)
      .describe('How long the sums of a day are kept, those of an hour for at most 35 days.'),
  })
    .prefault({})
    .describe('How long it is known what was used; what is kept already stays for as long as was said then.'),
  batches: batches.prefault({}).describe('The Batch API: how large batches may be, and how fast they run.'),
  embeddings: embeddings
    .prefault({})
    .describe('Embeddings requests; large ones are worked off by embedders, call by call.'),
  files: files.prefault({}).describe('The Files API: where files are kept, how large and how long.'),
  network: mapping({
    allowPrivateFileUrls: flag()
      .default(false)
      .describe('Lets clients name image and file URLs on private addresses. Guards URLs clients send, not baseUrl.'),
  }).prefault({}),
});

export type Config = z.output<typeof configSchema>;
export type ConfigKey = Config['auth']['keys'][number];
export type ConfigProvider = Config['providers'][string];
export type ConfigModel = NonNullable<Config['models']>[number];
export type ConfigTimeouts = z.output<typeof timeouts>;
export type ConfigPricing = z.output<typeof pricing>;
