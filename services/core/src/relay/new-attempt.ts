import type { ChatRequest } from '../chat/index.ts';
import { type Dialect, type StreamDecoder, Transcript } from '../dialects/index.ts';
import type { PlannedAttempt } from '../routing/index.ts';
import { AssembledOutput, watched } from './assembled-output.ts';
import { Attempt, type AttemptOwner } from './attempt.ts';
import { type AttemptOutput, HeldOutput } from './attempt-output.ts';
import type { Failover } from './failover.ts';
import { targetOf } from './preparation.ts';
import type { RelayRequest } from './request.ts';

/** The planned attempt: what is asked of its endpoint, where its events are decoded, and where its frames or its answer go. */
export function newAttempt(owner: AttemptOwner, request: RelayRequest, failover: Failover, dialect: Dialect): Attempt {
  const { generationId, created } = request;
  const { planned } = failover;
  const continuation = failover.continuation(dialect);
  const asked = continuation?.chat ?? askedAfresh(request, failover, planned);
  const { stream, includeUsage, choices } = asked;
  const context = { generationId, model: planned.model.id, created, target: targetOf(planned) };
  const said = stream ? new Transcript() : null;
  const decoder = stream ? dialect.streamDecoder({ ...context, includeUsage, choices, transcript: said }) : null;
  return new Attempt(owner, {
    planned,
    dialect,
    asked,
    output: decoder && (continuation?.output(decoder) ?? outputOf(request, failover, decoder, said)),
    said,
    decodeAnswer: (body) => dialect.decodeChat(body, context),
  });
}

/** The request, as an endpoint gets it that does not go on with a broken stream. */
function askedAfresh({ chat }: RelayRequest, failover: Failover, planned: PlannedAttempt): ChatRequest {
  const { endpoint } = planned;
  return failover.firstTokenBinds(planned) && !failover.isStreamRefusedBy(endpoint) ? watched(chat, endpoint) : chat;
}

/** Where the frames go of a stream that is nobody's continuation. */
function outputOf(
  { chat }: RelayRequest,
  { isRecoverable }: Failover,
  decoder: StreamDecoder,
  said: Transcript | null,
): AttemptOutput {
  if (!chat.stream) return new AssembledOutput(decoder);
  return new HeldOutput(decoder, isRecoverable ? said : null);
}
