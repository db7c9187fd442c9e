export { type PlannedChat, type PlanningState, planChat } from './plan-chat.ts';
export { type PlannedEmbeddings, planEmbeddings } from './plan-embeddings.ts';
export { providerGate } from './provider-gate.ts';
export { reportOutcome } from './report-outcome.ts';
export { modelNotFound, servedModels } from './served-models.ts';
export { demandOf, providerSubject, subjectsOf } from './subjects.ts';
export { type AskedFacts, askedOfChat, type RequestFacts, type ServedFacts, usageRecord } from './usage-record.ts';
