import type { Route } from '../../route.ts';
import { CollectionList } from './collection-list.tsx';
import { CollectionPage } from './collection-page.tsx';
import { DocumentPage } from './document-page.tsx';

/** `#/collections`, `#/collections/NAME/TAB`, `#/collections/NAME/documents/ID?tenant=`. */
export function CollectionsPage({ route }: { route: Route }) {
  const [name, tab, id] = route.parts;
  if (name === undefined) return <CollectionList />;
  if (tab === 'documents' && id !== undefined) {
    return <DocumentPage collection={name} id={id} tenant={route.query['tenant']} />;
  }
  return <CollectionPage name={name} tab={tab} route={route} />;
}
