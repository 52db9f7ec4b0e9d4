import { expect, test } from 'bun:test';
import { initNames } from '../../../../src/core/service/definition.ts';
import { planOf, type ServicePlaces } from '../../../../src/core/service/plan.ts';
import { startsProgram } from '../../../../src/core/service/program.ts';
import { service } from './hostile.ts';

const places: ServicePlaces = { homeDir: '/h', configDir: '/h/.config', prefix: '/usr', uid: 1000, user: 'PC\\me' };

for (const init of initNames) {
  test(`startsProgram() knows the program in a file for ${init}, and takes no other for it`, () => {
    for (const program of ['/opt/octaskly', '/opt/my programs/octaskly', '/opt/100%/$x & <y>/octaskly']) {
      const { file } = planOf(
        init,
        { ...service, scope: init === 'termux' ? 'user' : 'system', program: [program] },
        places,
      );
      expect([program, startsProgram(init, file.text, program)]).toEqual([program, true]);
      for (const other of [`/home${program}`, `${program}2`, '/usr/bin/octaskly', '/opt'])
        expect([other, startsProgram(init, file.text, other)]).toEqual([other, false]);
    }
  });
}
