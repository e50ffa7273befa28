"""Metrics, alerts, dashboards and logs of Kinesphere in operation."""
