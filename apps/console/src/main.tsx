import { render } from 'preact';
import { Server } from './server/server.ts';
import { endSignIn, ownAddress } from './server/sign-in.ts';
import { Session } from './server/session.ts';
import { ServerContext } from './server/use-server.ts';
import { App } from './shell/app.tsx';
import './style/tokens.css';
import './style/base.css';
import './style/shell.css';
import './style/parts.css';
import './style/notices.css';
import './style/pages.css';
import './style/forms.css';
import './style/search.css';
import './style/submit.css';
import './style/tables.css';
import './style/touch.css';
import { LocaleProvider } from './words/locale.tsx';

/** The console is at `…/console/`; the API's addresses begin one level up. */
const session = new Session(sessionStorage);
const server = new Server(new URL('../', ownAddress()), session);
await comeBack();
const root = document.getElementById('app');
if (root === null) throw new Error('the page has no element for the console');
render(
  <ServerContext.Provider value={server}>
    <LocaleProvider>
      <App />
    </LocaleProvider>
  </ServerContext.Provider>,
  root,
);

/** If the browser comes back from an issuer, finishes signing in before the first request. */
async function comeBack(): Promise<void> {
  const page = ownAddress();
  try {
    const signedIn = await endSignIn(new URLSearchParams(location.search), { page, storage: sessionStorage });
    if (signedIn === undefined) return;
    history.replaceState(null, '', `${page.href}${signedIn.hash}`);
    session.enter(signedIn.token);
  } catch (error) {
    // A code can be used only once, and must not stay in the history.
    history.replaceState(null, '', page.href);
    session.fail(error instanceof Error ? error.message : String(error));
  }
}
