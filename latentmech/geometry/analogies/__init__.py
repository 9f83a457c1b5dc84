"""Analogies: does an offset between words carry over to other words?"""
