import { serveBareSession } from '@embedmill/inference';

serveBareSession();
