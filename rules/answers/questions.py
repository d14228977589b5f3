"""The sections of every report and their questions, as the report contract gives them."""

TITLES = {
    "ingestion": "Event Ingestion Reliability",
    "deduplication": "Deduplication & Idempotency",
    "aggregation": "Aggregation Logic",
    "limits": "Limits & Overage Handling",
    "transparency": "Customer Transparency",
    "observability": "Observability & Alerting",
}
QUESTIONS = {
    "ingestion": {
        "delivery": "Sent synchronously or queued?",
        "retry": "Is failed delivery retried?",
        "guarantee": "Delivery guarantee (at most, at least, exactly once)?",
        "persisted": "Persisted before it is sent?",
        "at_the_moment": "Recorded server-side at the moment of the action?",
        "before_cutoff": "Captured before the billing cut-off?",
        "unmetered_actions": "Which metered actions record nothing?",
        "client_control": "Can a client set or skip the count?",
    },
    "deduplication": {
        "stable_key": "A stable idempotency key?",
        "key_parts": "What is the key made of?",
        "retry_charges_twice": "Can a retry charge twice?",
    },
    "aggregation": {
        "function": "Aggregation function of each meter?",
        "boundaries": "Period boundaries in UTC and half-open?",
        "proration": "Partial periods prorated correctly?",
    },
    "limits": {
        "enforced": "Enforced in real time or at invoicing?",
        "warning": "A soft warning before the hard limit?",
        "at_limit": "What happens at the hard limit?",
    },
    "transparency": {
        "visible": "Can customers see usage now?",
        "granular": "Fine-grained enough to understand the bill?",
        "downloadable": "Downloadable?",
    },
    "observability": {
        "alerts": "Are pipeline errors alerted on?",
        "anomalies": "Are anomalies detected?",
        "reconciled": "Is the close reconciled against the ledger?",
    },
}
UNSEEN = "not visible in this code"
