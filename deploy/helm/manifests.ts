import {
  PodMonitor,
  PrometheusRule,
  ServiceMonitor,
} from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1';
import { ScaledObject } from '@kubernetes-models/keda/keda.sh/v1alpha1';
import { HTTPRoute } from '@kubernetes-models/gateway-api/gateway.networking.k8s.io/v1';
import { Deployment, StatefulSet, type IDeployment } from 'kubernetes-models/apps/v1';
import { HorizontalPodAutoscaler } from 'kubernetes-models/autoscaling/v2';
import { Job } from 'kubernetes-models/batch/v1';
import { Ingress, NetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1';
import { PodDisruptionBudget } from 'kubernetes-models/policy/v1';
import {
  ConfigMap,
  Namespace,
  PersistentVolumeClaim,
  Pod,
  Secret,
  Service,
  ServiceAccount,
} from 'kubernetes-models/v1';
import { parseAllDocuments } from 'yaml';

/** Parses rendered manifests and checks them against the API server's schemas. Used by the tests. */

export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly labels?: Record<string, string> };
  readonly [field: string]: unknown;
}

interface Model {
  new (data: never): { validate(): void };
  apiVersion: string;
  kind: string;
}

const MODELS: readonly Model[] = [
  ...[ConfigMap, Namespace, PersistentVolumeClaim, Pod, Secret, Service, ServiceAccount],
  ...[
    Deployment,
    Job,
    StatefulSet,
    HTTPRoute,
    HorizontalPodAutoscaler,
    Ingress,
    NetworkPolicy,
    PodDisruptionBudget,
  ],
  ...[PodMonitor, PrometheusRule, ServiceMonitor, ScaledObject],
];

/** The objects of a stream of YAML documents. Throws at the first malformed document. */
export function parseManifests(yaml: string): Manifest[] {
  return parseAllDocuments(yaml).flatMap((document) => {
    if (document.errors[0] !== undefined) throw document.errors[0];
    return document.contents === null ? [] : [document.toJS() as Manifest];
  });
}

export const deploymentsOf = (manifests: readonly Manifest[]): IDeployment[] =>
  manifests.filter(({ kind }) => kind === 'Deployment') as unknown as IDeployment[];

/**
 * The faults of a manifest by the schema of its kind: invalid values, and fields that the schema does not know, which
 * an API server would silently drop.
 */
export function faultsOf(manifest: Manifest): string[] {
  const { apiVersion, kind } = manifest;
  const model = MODELS.find((one) => one.apiVersion === apiVersion && one.kind === kind);
  if (model === undefined) return [`no schema of ${apiVersion} ${kind} here`];
  const watched = watchReads(manifest, '');
  try {
    const one = new model({} as never);
    // Passing it to the constructor would read all fields, because the constructor copies them.
    Object.defineProperties(one, Object.getOwnPropertyDescriptors(watched.value));
    one.validate();
  } catch (error) {
    return [String(error)];
  }
  return watched.unread().map((path) => `${path}: there is no such field`);
}

/** Records which fields of a value are read: a validator reads those that it knows. */
function watchReads(value: unknown, path: string): { value: unknown; unread(): string[] } {
  if (typeof value !== 'object' || value === null) return { value, unread: () => [] };
  const fields = Object.keys(value).map((name) => ({
    name,
    read: false,
    ...watchReads((value as Record<string, unknown>)[name], `${path}/${name}`),
  }));
  const watched = Array.isArray(value) ? [] : {};
  for (const field of fields) {
    Object.defineProperty(watched, field.name, {
      enumerable: true,
      get() {
        field.read = true;
        return field.value;
      },
    });
  }
  return {
    value: watched,
    unread: () => fields.flatMap((field) => (field.read ? field.unread() : [`${path}/${field.name}`])),
  };
}
