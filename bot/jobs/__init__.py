"""Durable jobs on PostgreSQL: where deliveries are stored, how reviews wait their turn, who runs them."""
