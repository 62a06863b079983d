/** What is said on the page map, in English. */
export const map = {
  'map.what': 'A collection as a picture: what is near in meaning is near on the map.',
  'map.label': 'The map. Arrows move it, + and − make it larger and smaller.',
  'map.none': 'There is no map of this collection yet',
  'map.none.what': 'It is computed once and kept; new documents can be placed on it later.',
  'map.compute': 'Compute the map',
  'map.computing': 'The map is being computed',
  'map.points': '{points} of {total} chunks',
  'map.update': 'Place what is new',
  'map.again': 'Compute again',
  'map.search': 'Light up what a search finds',
  'map.colour': 'Colour by',
  'map.cluster': 'cluster',
  'map.without': 'without',
  'map.lasso': 'Lasso',
  'map.chosen': 'Chosen on the map',
  'map.clear': 'Clear',
} as const;
