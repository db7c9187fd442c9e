export { addAccountingMetrics } from './accounting-metrics.ts';
export { type PlannedChat, type PlanningState, planChat } from './plan-chat.ts';
export { type PlannedEmbeddings, planEmbeddings } from './plan-embeddings.ts';
export { providerGate } from './provider-gate.ts';
export { modelNotFound, servedModels } from './served-models.ts';
export {
  askedOfEmbeddings,
  type Books,
  requestEnd,
  type Served,
  type SettledRequest,
  servedEmbeddings,
  settle,
} from './settle.ts';
export { demandOf, demandOfEmbeddings, providerSubject, subjectsOf, subjectsOfCaller } from './subjects.ts';
export { type AskedFacts, askedOfChat, type RequestFacts } from './usage-record.ts';
