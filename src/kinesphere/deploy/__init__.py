"""How the platform is brought to Kubernetes: the chart, its values, and what a cluster has."""
