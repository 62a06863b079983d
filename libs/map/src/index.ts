export { clustersOf, nearestCluster, type Cluster } from './clusters.ts';
export { drawMap, type Dot } from './picture.ts';
export { placeNear, type Landmarks } from './placement.ts';
export { project, type Place, type Projection } from './projection.ts';
export { seeded } from './seeded.ts';
export { tellingWords } from './telling-words.ts';
