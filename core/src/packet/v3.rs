//! Revision 3.
