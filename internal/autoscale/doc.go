// Package autoscale reads Azure's autoscale settings (Microsoft.Insights/autoscaleSettings) and writes each as a pool and
// a policy that behave alike.
//
// It is liberal in what it reads (an ARM template with its expressions, what the az CLI and the REST API show, lists of
// them, names in any case, numbers as strings) and exact in what it reports: whatever of a setting is not kept, or kept
// in another way, is a [Note] that names the place and says why. Nothing is dropped without one. Pure: the same bytes
// make the same files.
package autoscale
