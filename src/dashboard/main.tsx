/** The script of the page: finds its place in the document and begins to watch the dispatcher the page came from. */

import { render } from 'preact';
import { App } from './app.tsx';
import { Live } from './live.ts';

const place = document.getElementById('page');
if (place !== null) {
  const live = new Live(location.origin);
  render(<App live={live} />, place);
  void live.begin();
}
