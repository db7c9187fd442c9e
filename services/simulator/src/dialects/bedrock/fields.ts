import type {
  ContentBlock,
  ConverseRequest,
  ConverseStreamRequest,
  DocumentBlock,
  DocumentFormat,
  DocumentSource,
  ImageBlock,
  ImageFormat,
  InferenceConfiguration,
  SystemContentBlock,
  Tool,
  ToolResultBlock,
  ToolResultContentBlock,
  ToolUseBlock,
} from '@aws-sdk/client-bedrock-runtime';
import {
  blob,
  boolean,
  type Check,
  document,
  float,
  integer,
  listOf,
  mapOf,
  oneOf,
  string,
  structure,
  union,
} from './shape.ts';

/** The members of Converse and ConverseStream as the SDK's types and the API reference describe them. */

type MembersOf<U> = Record<Exclude<U extends unknown ? keyof U : never, '$unknown'>, Check>;

const imageFormats = ['png', 'jpeg', 'gif', 'webp'] satisfies ImageFormat[];
const documentFormats = ['pdf', 'csv', 'doc', 'docx', 'xls', 'xlsx', 'html', 'txt', 'md'] satisfies DocumentFormat[];

const cachePoint = structure({ required: { type: oneOf(['default']) }, optional: { ttl: oneOf(['5m', '1h']) } });
const s3Location = structure({
  required: { uri: string({ min: 1, pattern: /^s3:\/\/[a-z0-9][.\-a-z0-9]{1,61}[a-z0-9](\/.*)?$/ }) },
  optional: { bucketOwner: string({ pattern: /^[0-9]{12}$/ }) },
});
const bytesOrS3 = union({ bytes: blob, s3Location });
const citations = structure({ required: { enabled: boolean } });

const image = structure({
  required: { format: oneOf(imageFormats), source: bytesOrS3 },
} satisfies { required: Partial<Record<keyof ImageBlock, Check>> });

const documentSource = union({
  bytes: blob,
  s3Location,
  text: string({ min: 1 }),
  content: listOf(union({ text: string() })),
} satisfies MembersOf<DocumentSource>);

const documentBlock = structure({
  required: { name: string({ min: 1, max: 200 }), source: documentSource },
  optional: { format: oneOf(documentFormats), context: string({ min: 1 }), citations },
} satisfies {
  required: Partial<Record<keyof DocumentBlock, Check>>;
  optional: Partial<Record<keyof DocumentBlock, Check>>;
});

const video = structure({
  required: {
    format: oneOf(['mkv', 'mov', 'mp4', 'webm', 'flv', 'mpeg', 'mpg', 'wmv', 'three_gp']),
    source: bytesOrS3,
  },
});
const audio = structure({ required: { format: string({ min: 1 }), source: bytesOrS3 } });
const searchResult = structure({
  required: { source: string(), title: string(), content: listOf(structure({ required: { text: string() } })) },
  optional: { citations },
});

const toolUseId = string({ min: 1, max: 64, pattern: /^[a-zA-Z0-9_.:-]+$/ });
const toolName = string({ min: 1, max: 64, pattern: /^[a-zA-Z0-9_-]+$/ });

const toolUse = structure({
  required: { toolUseId, name: toolName, input: document },
  optional: { type: oneOf(['server_tool_use']) },
} satisfies {
  required: Partial<Record<keyof ToolUseBlock, Check>>;
  optional: Partial<Record<keyof ToolUseBlock, Check>>;
});

const toolResult = structure({
  required: {
    toolUseId,
    content: listOf(
      union({
        text: string(),
        json: document,
        image,
        document: documentBlock,
        video,
        searchResult,
      } satisfies MembersOf<ToolResultContentBlock>),
    ),
  },
  optional: { status: oneOf(['success', 'error']), type: string() },
} satisfies {
  required: Partial<Record<keyof ToolResultBlock, Check>>;
  optional: Partial<Record<keyof ToolResultBlock, Check>>;
});

const guardContent = union({
  text: structure({
    required: { text: string() },
    optional: { qualifiers: listOf(oneOf(['grounding_source', 'query', 'guard_content'])) },
  }),
  image: structure({ required: { format: oneOf(['png', 'jpeg']), source: union({ bytes: blob }) } }),
});

const toolReference = structure({ optional: { type: string(), name: string(), serverName: string() } });

const contentBlock = union({
  text: string(),
  image,
  document: documentBlock,
  video,
  audio,
  toolUse,
  toolResult,
  guardContent,
  cachePoint,
  reasoningContent: union({
    reasoningText: structure({ required: { text: string() }, optional: { signature: string() } }),
    redactedContent: blob,
  }),
  citationsContent: structure({
    optional: { content: listOf(union({ text: string() })), citations: listOf(document) },
  }),
  searchResult,
  toolAddition: structure({ required: { tool: toolReference } }),
  toolRemoval: structure({ required: { tool: toolReference } }),
} satisfies MembersOf<ContentBlock>);

const message = structure({
  required: { role: oneOf(['user', 'assistant']), content: listOf(contentBlock) },
});

const tool = union({
  toolSpec: structure({
    required: { name: toolName, inputSchema: union({ json: document }) },
    optional: { description: string({ min: 1 }), strict: boolean },
  }),
  systemTool: structure({ required: { name: toolName } }),
  cachePoint,
} satisfies MembersOf<Tool>);

const guardrail = {
  guardrailIdentifier: string({ max: 2048 }),
  guardrailVersion: string({ pattern: /^(|([1-9][0-9]{0,7})|(DRAFT))$/ }),
  trace: oneOf(['enabled', 'disabled', 'enabled_full']),
};

const optional = {
  system: listOf(union({ text: string(), guardContent, cachePoint } satisfies MembersOf<SystemContentBlock>)),
  inferenceConfig: structure({
    optional: {
      maxTokens: integer(1),
      temperature: float(0, 1),
      topP: float(0, 1),
      stopSequences: listOf(string({ min: 1 }), 0, 2500),
    } satisfies Record<keyof InferenceConfiguration, Check>,
  }),
  toolConfig: structure({
    required: { tools: listOf(tool, 1) },
    optional: {
      toolChoice: union({
        auto: structure(),
        any: structure(),
        tool: structure({ required: { name: toolName } }),
      }),
    },
  }),
  guardrailConfig: structure({ optional: guardrail }),
  additionalModelRequestFields: mapOf(document),
  promptVariables: mapOf(union({ text: string() })),
  additionalModelResponseFieldPaths: listOf(string({ min: 1, max: 256 }), 0, 10),
  requestMetadata: mapOf(string({ max: 256 })),
  performanceConfig: structure({ optional: { latency: oneOf(['standard', 'optimized']) } }),
  serviceTier: structure({ required: { type: oneOf(['priority', 'default', 'flex', 'reserved']) } }),
  outputConfig: structure({
    optional: {
      textFormat: structure({
        required: {
          type: oneOf(['json_schema']),
          structure: union({
            jsonSchema: structure({
              required: { schema: string({ min: 1 }) },
              optional: { name: string({ min: 1 }), description: string() },
            }),
          }),
        },
      }),
      effort: string({ min: 1 }),
    },
  }),
};

export const converseMembers = {
  required: { messages: listOf(message) },
  optional: optional satisfies Record<Exclude<keyof ConverseRequest, 'modelId' | 'messages'>, Check>,
};

export const converseStreamMembers = {
  required: { messages: listOf(message) },
  optional: {
    ...optional,
    guardrailConfig: structure({ optional: { ...guardrail, streamProcessingMode: oneOf(['sync', 'async']) } }),
  } satisfies Record<Exclude<keyof ConverseStreamRequest, 'modelId' | 'messages'>, Check>,
};
