import { ReplayProvider } from '../conformance/replay-provider.ts';
import { Bench } from '../conformance/sdk/bench.ts';
import { benchConfig } from '../conformance/sdk/start-bench.ts';
import { openaiSuite } from '../conformance/sdk/suite.ts';
import { ContainerStack } from './container-stack.ts';
import { Network } from './docker.ts';

/** The suite that runs against processes of the sources, against the containers of the image. */
openaiSuite('the OpenAI API on the wire, of containers', async () => {
  let replay: ReplayProvider | undefined;
  try {
    const network = await Network.create();
    // On the containers' network: they cannot reach our loopback interface.
    replay = await ReplayProvider.start(network.gateway);
    const provider = replay;
    const stack = await ContainerStack.start({
      network,
      embedders: 1,
      config: (simulators) => benchConfig(simulators, provider),
    });
    return new Bench(stack, provider);
  } catch (error) {
    await replay?.close();
    throw error;
  }
});
