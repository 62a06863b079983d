export { costOf, planBatches, type Batch, type Budget, type Lane, type WindowItem } from './plan.ts';
