"""What an automatic proof says, for people: the boxes, what each loses, and pictures of the split tree.

account   how many inputs of each box are proven
branches  the split tree, laid out
section   the section of the report
"""
