/** A service whose options are as bad as they can be, for tests that read its texts back. */

import type { ServiceDefinition } from '../../../../src/core/service/definition.ts';

/** Values that some init system, shell or XML reader takes for something else. */
export const hostileWords = [
  '--label=a b',
  '--label=100%i',
  // biome-ignore lint/suspicious/noTemplateCurlyInString: as systemd and shells have variables
  '--label=$HOME ${HOME} $$',
  '--label="quoted" \'single\'',
  '--label=back\\slash\\',
  '--label=two\nlines\ttab',
  '--label=<b>&amp;]]>',
  '--label=*?[a-z]{1,2}',
  '--label=`id` $(id) ; id',
  '--label=ünï 🙂',
  '--label=#x',
  '--label=',
];

/** A worker with all of them. */
export const service: ServiceDefinition = {
  role: 'worker',
  scope: 'system',
  instance: null,
  program: ['/opt/my programs/octa%skly'],
  options: hostileWords,
  account: 'octaskly-worker',
  dataDir: '/var/lib/octaskly-worker',
  writes: [],
  stopSeconds: 45,
  bindsLowPort: false,
};
