export { escapeLineBreaks } from './line-breaks.ts';
export {
  arrayElements,
  findMember,
  isAmbiguous,
  type Member,
  objectMembers,
  type Span,
  skipSpace,
  stringEnd,
  valueEnd,
} from './scan.ts';
export { MAX_DEPTH, type Skeleton, skeleton } from './skeleton.ts';
export { type Edit, HEADROOM, removeMembers, SpliceBody, splice } from './splice.ts';
