// Package monitoring tests the alerts and the dashboard of charts/regcred/files: alerts fire when they should, and all that is asked of
// Prometheus is asked for metrics and labels that the operator has. The command picture below it draws the dashboard for the documentation. It
// is a module of its own, so that Prometheus stays out of the operator's.
package monitoring
