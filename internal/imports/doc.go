// Package imports holds the rules of who may import whom, as a test, each with its reason. It has no code of its own.
//
// Imports point one way: cmd/gatewayd to internal/config, internal/web and bridge, and those to gpio and sensors.
package imports
