export { decodeImage, IMAGE_LIMITS, type ImageLimits, type ImagePreparation } from './decode.ts';
export type { Interpolation } from './resample.ts';
export { pictureFile, resolveImage, type FetchBytes, type ImageSources } from './resolve.ts';
export { videoFrames, type VideoFrame, type VideoFrameOptions } from './video-frames.ts';
