"""What of Pixel Data is picture and what is not, told by structure alone: nothing is decoded here."""
