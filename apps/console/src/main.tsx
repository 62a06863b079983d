import { render } from 'preact';
import { Server } from './server/server.ts';
import { Session } from './server/session.ts';
import { ServerContext } from './server/use-server.ts';
import { App } from './shell/app.tsx';
import './style/tokens.css';
import './style/base.css';
import './style/shell.css';
import './style/parts.css';
import './style/forms.css';
import './style/search.css';
import './style/submit.css';
import './style/tables.css';
import { LocaleProvider } from './words/locale.tsx';

/** The console is at `…/console/`, the API's addresses begin one step above. */
const server = new Server(new URL('../', document.baseURI.split('#', 1)[0]), new Session(sessionStorage));
const root = document.getElementById('app');
if (root === null) throw new Error('the page has no place for the console');
render(
  <ServerContext.Provider value={server}>
    <LocaleProvider>
      <App />
    </LocaleProvider>
  </ServerContext.Provider>,
  root,
);
