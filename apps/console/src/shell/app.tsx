import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { CollectionsPage } from '../pages/collections/collections-page.tsx';
import { JobsPage } from '../pages/jobs/jobs-page.tsx';
import { KeysPage } from '../pages/keys/keys-page.tsx';
import { ModelsPage } from '../pages/models/models-page.tsx';
import { OverviewPage } from '../pages/overview/overview-page.tsx';
import { SearchPage } from '../pages/search/search-page.tsx';
import { SubmitPage } from '../pages/submit/submit-page.tsx';
import { UsagePage } from '../pages/usage/usage-page.tsx';
import { Empty, Loading, ProblemNotice } from '../parts/notice.tsx';
import { PAGES, type Page, type Route } from '../route.ts';
import { useLoaded, useSession } from '../server/use-server.ts';
import { useLocale } from '../words/locale.tsx';
import { Boundary } from './boundary.tsx';
import { Deferred } from './deferred.tsx';
import { KeyPrompt } from './key-prompt.tsx';
import { pagesFor, PrincipalProvider } from './principal.tsx';
import { Sidebar } from './sidebar.tsx';
import { useRoute } from './use-route.ts';

/** Large and rarely used, so it is loaded on demand. */
const loadMap = async () => (await import('../pages/map/map-page.tsx')).MapPage;

/** The frame around each page. No page loads anything before the principal and its permissions are known. */
export function App() {
  const route = useRoute();
  const { version, wanted } = useSession();
  const principal = useLoaded('principal', (client, options) =>
    client.read((api, init) => api.GET('/api/v1/principal', init), options),
  );
  const pages = principal.data === undefined ? [] : pagesFor(principal.data, PAGES);
  const { page } = route;
  return (
    <>
      <SkipLink />
      <div class="shell">
        <Sidebar page={page} pages={pages} />
        <Main place={`${version} ${page} ${route.parts.join('/')}`} page={page}>
          {principal.data !== undefined ? (
            <PrincipalProvider principal={principal.data}>
              {pages.includes(page) ? <PageOf route={route} /> : <NotForYou />}
            </PrincipalProvider>
          ) : principal.problem !== undefined && principal.problem.code !== 'unauthenticated' ? (
            <ProblemNotice problem={principal.problem} onRetry={principal.reload} />
          ) : (
            <Loading />
          )}
        </Main>
      </div>
      {wanted && <KeyPrompt />}
    </>
  );
}

function PageOf({ route }: { route: Route }) {
  switch (route.page) {
    case 'overview':
      return <OverviewPage />;
    case 'jobs':
      return <JobsPage route={route} />;
    case 'collections':
      return <CollectionsPage route={route} />;
    case 'submit':
      return <SubmitPage route={route} />;
    case 'search':
      return <SearchPage route={route} />;
    case 'map':
      return <Deferred load={loadMap} route={route} />;
    case 'models':
      return <ModelsPage />;
    case 'usage':
      return <UsagePage />;
    case 'keys':
      return <KeysPage />;
  }
}

function NotForYou() {
  const { t } = useLocale();
  return (
    <Empty icon="keys" title={t('forbidden')}>
      {t('forbidden.what')}
    </Empty>
  );
}

function SkipLink() {
  const { t } = useLocale();
  return (
    <a
      class="skip"
      href="#main"
      onClick={(event) => {
        event.preventDefault();
        document.querySelector('main')?.focus();
      }}
    >
      {t('menu.skip')}
    </a>
  );
}

/** The container of a page. As after a page load, focus moves to its beginning. */
function Main({ place, page, children }: { place: string; page: Page; children: ComponentChildren }) {
  const { t } = useLocale();
  const main = useRef<HTMLElement>(null);
  const isFirst = useRef(true);
  useEffect(() => {
    document.title = `${t(`page.${page}`)} · embedmill`;
  }, [page, t]);
  useEffect(() => {
    if (!isFirst.current) {
      main.current?.focus({ preventScroll: true });
      scrollTo(0, 0);
    }
    isFirst.current = false;
  }, [place]);
  return (
    <main class="page" ref={main} tabIndex={-1} key={place}>
      <Boundary>{children}</Boundary>
    </main>
  );
}
