import { startBench } from './sdk/start-bench.ts';
import { openaiSuite } from './sdk/suite.ts';

openaiSuite('the OpenAI API on the wire', startBench);
