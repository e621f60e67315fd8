// client.mjs URL repo | build SRPM | cancel TASK | wait TASK
// What a user asks of the hub: `repo` and `build` print the number of their task, `wait` prints the state it has ended in.

import { never } from '../../dist/core/never.js';
import { HubClient } from '../../dist/devhub/client.js';
import { stateName, taskState } from '../../dist/devhub/rows.js';

const [url, command, argument] = process.argv.slice(2);
const user = new HubClient(url);
await user.login('lab', 'lab');
const pause = () => new Promise((resolve) => setTimeout(resolve, 1000));

const commands = {
  async repo() {
    const { request } = await user.call('repo.request', ['lab-build']);
    return (await user.call('repo.checkRequest', [request.id])).request.task_id;
  },
  build: () => user.buildSrpm(argument, 'lab', { scratch: true }, never),
  async cancel() {
    await user.call('cancelTask', [Number(argument)]);
    return 'asked';
  },
  async wait() {
    const going = [taskState.FREE, taskState.ASSIGNED, taskState.OPEN];
    for (;;) {
      const { state } = await user.taskTree(Number(argument));
      if (!going.includes(state)) return stateName(taskState, state);
      await pause();
    }
  },
};
console.log(await commands[command]());
process.exit(0);
