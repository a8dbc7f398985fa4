"""What other catalogues want to know of the deliveries, made of the warehouse's rows."""
