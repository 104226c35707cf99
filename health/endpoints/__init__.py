"""What /health… answers: pages rendered ahead, who may see which, and in what form."""
